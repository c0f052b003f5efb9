"""How tests and people steer the simulator."""
