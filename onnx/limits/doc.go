// Package limits holds what every reader of untrusted bytes shares: checked arithmetic, a reader that refuses a declared
// size beyond the bytes that are there before anything is allocated, budgets for counts and depth, and the one error type
// that says "input refused".
//
//	r := limits.NewReader(file, size)
//	n, err := r.U64("header length")
//	if err != nil {
//		return limits.InFile(path, err)
//	}
//	header, err := r.Bytes(n, "header") // refused when n exceeds what is left
//	if err != nil {
//		return limits.InFile(path, err) // `x.safetensors: header: 4611686018427387904 bytes declared at byte 8, 92 left`
//	}
package limits
