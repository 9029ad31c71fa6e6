//! Tests of project roots.
