// Package graphs builds networks as ONNX models: one family a file, configured by a struct whose zero value is the
// published network, initialized from a seed, and listed in the Catalog.
//
//	m, err := graphs.Hourglass{Height: 512, Width: 512}.Build(seed)
//	if err != nil {
//		return err
//	}
//	// input z [1,32,512,512] float, output image [1,3,512,512] float in (0, 1);
//	// parameters are initializers in module order: s0.down1.conv.weight, s0.down1.conv.bias, ...
package graphs
