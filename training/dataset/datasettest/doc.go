// Package datasettest writes pictures and NumPy's arrays by hand, among them files that every reader must refuse.
//
//	for _, c := range datasettest.HostileNpy() {
//		_, err := read(c.Bytes)
//		limitstest.Refused(t, err, "x.npy", c.Want)
//	}
package datasettest
