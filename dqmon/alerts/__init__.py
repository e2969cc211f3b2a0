"""From judged results to what is told: folding, the state machine, incidents, routes, groups, messages. Pure."""
