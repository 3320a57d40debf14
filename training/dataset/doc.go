// Package dataset reads what networks learn from; every file is taken as hostile and judged before memory is spent on it.
//
//	photo, err := dataset.ReadImage("cat.jpg") // or PNG, BMP, TIFF, WebP; turned upright, alpha set aside
//	if err != nil {
//		return err
//	}
//	padded, pad, err := photo.PadToMultiple(32)
//	out := denoise(padded.Tensor()) // float [1,C,H,W] in [0,1]
//	restored, err := dataset.FromTensor(out)
//	restored, err = restored.Unpad(pad)
package dataset
