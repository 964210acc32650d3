"""Tables drawn as charts."""
