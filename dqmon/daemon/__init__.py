"""The long-running process: when checks are due, who runs them, starting, reloading and stopping."""
