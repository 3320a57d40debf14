// Package ziptest makes ZIP archives for tests, among them the hostile ones that every reader of archives must refuse.
//
//	files := []ziptest.File{{Name: "a.npy", Data: data}}
//	good := ziptest.Build(files)
//	for _, c := range ziptest.Hostile(files) {
//		_, err := read(c.Bytes)
//		// err must hold c.Want
//	}
package ziptest
