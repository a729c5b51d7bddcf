//! Each rule with code that keeps it and code that breaks it.
