"""The rows of the error catalogue, one file per area; `muster.core.catalogue` joins them."""
