"""Plans that hold wherever in their ranges rates, token counts and prices may lie."""
