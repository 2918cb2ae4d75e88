"""The work that is measured, a module for each kind; ``run(plan, report, progress)`` in each."""
