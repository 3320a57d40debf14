// Package precision brings the floating-point values of a network into another element type: float16 or bfloat16 from
// float32, and float32 from either. Which nodes stay is the caller's to say; where a value has one type and is read in
// another, a Cast stands between.
package precision
