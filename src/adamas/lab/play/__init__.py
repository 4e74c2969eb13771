"""The playground: one offline page whose update rules are printed from the rules of the engine."""
