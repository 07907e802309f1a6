"""Declarative layer: packs, their compiler to durable_rules, the engine and the explanation."""
