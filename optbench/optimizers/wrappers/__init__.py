"""What goes around an optimizer: clips, schedules, averages, decay, precision."""
