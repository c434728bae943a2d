"""Throughput on this machine: figures to compare with each other, not promises."""
