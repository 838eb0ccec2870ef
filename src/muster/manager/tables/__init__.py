"""Tables of a manager: functions over a reader or a transaction, one file a subject."""
