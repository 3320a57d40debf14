// Package quantize stores weights, and computes products and convolutions, in integers of 8 or 4 bits: with QuantizeLinear and
// DequantizeLinear around what is computed (static), with ranges taken as the model runs (dynamic), or for weights alone, in
// blocks. What the values inside range over is the caller's to measure.
package quantize
