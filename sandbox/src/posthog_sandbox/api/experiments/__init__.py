"""Experiments and the flags behind them."""
