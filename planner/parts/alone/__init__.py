"""One part of a graph by itself: its ways, its search, its bounds."""
