"""What time costs: prices of a second at which the parts are in time together."""
