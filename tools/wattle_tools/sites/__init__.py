"""Sites to set up meters for: what their gateways told, and the technician's authority there."""
