"""What people ask of incidents, and what they do to them."""
