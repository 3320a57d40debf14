// Graft builds, masks, trains, converts and runs neural networks as ONNX graphs.
package main

func main() {}
