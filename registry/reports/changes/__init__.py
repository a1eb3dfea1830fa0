"""How a comparison is said: what changed, what it can break, and who must act first."""
