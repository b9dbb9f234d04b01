//! Order transactions among Byzantine validators (an existing engine, driven here).
