"""The deterministic simulation, over many seeds, and that it sees what it is there to see."""
