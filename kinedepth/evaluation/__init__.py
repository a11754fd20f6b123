"""PREDICTOR + TRUTH -> TABLE.

Metrics are pure functions; what may change a number is data, a `Protocol`, and printed with every table.
"""
