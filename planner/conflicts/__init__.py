"""No plan: which constraints exclude each other, and the cheapest ways out."""
