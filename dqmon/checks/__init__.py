"""One file a check type: its options, its metrics, its judgement, its documentation."""
