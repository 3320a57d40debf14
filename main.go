// Graft builds, masks, trains, exports and runs neural networks as ONNX graphs.
package main

import (
	"os"

	"graft/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
