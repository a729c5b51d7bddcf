//! Tests of the text form, by the question that they answer.

mod errors;
mod hostile;
mod meaning;
mod round_trip;
