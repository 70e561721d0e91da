"""The decoy zoo: real processes that look leaked and are not, each with the guard that spares it.

`Zoo` starts all of them at once, takes three looks and can judge them again, with guards taken away.
docs/leaks.md lists the guards; whoever ends processes may run beside the zoo and must end none of it.
"""
