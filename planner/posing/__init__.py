"""From files that were read to a placement problem."""
