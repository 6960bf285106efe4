"""The neighbours of Lambda, a folder each."""
