"""Muster: volume activation for any software.

Importing this package loads nothing: an application embeds `muster.client` alone.
"""

__version__ = "0.1.0"
