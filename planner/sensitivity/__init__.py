"""What a plan rests on: its inputs one by one, each taken to be wrong by a share, and what that does to the plan."""
