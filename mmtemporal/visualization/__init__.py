"""What the papers draw. It looks at models; no model knows of it."""
