"""A page on this machine that shows what a trained network makes of videos."""
