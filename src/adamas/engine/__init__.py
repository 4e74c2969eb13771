"""From a rule to a kernel: the step around a rule, the plan of its work, the oracle and the CPU kernel."""
