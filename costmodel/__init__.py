"""Cost model: work, time, energy and money of each piece on each device."""
