// Graft builds, masks, trains, converts and runs neural networks as ONNX graphs.
package main

import (
	"os"

	"graft/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
