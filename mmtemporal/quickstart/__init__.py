"""Runs on the motion clips: followed on a screen, summed up, shown on a page."""
