// Package pickletest writes PyTorch's files by hand, opcode by opcode, among them those that every reader must refuse.
//
//	weights := pickletest.Tensor(pickletest.Storage("FloatStorage", "0", 2), 0, []int64{2}, []int64{1})
//	good := pickletest.Zip(pickletest.Dict("w", weights), make([]byte, 8))
//	for _, c := range pickletest.Hostile() {
//		_, err := read(c.Bytes)
//		limitstest.Refused(t, err, "x.pt", c.Want)
//	}
package pickletest
