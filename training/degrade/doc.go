// Package degrade makes observations of pictures as restoration is tried on: noise of several kinds, missing pixels, fewer pixels,
// JPEG, and parts of the Fourier transform. What is not noise is a graph as well, so that a drawn picture can be observed in the
// same way in front of a loss.
//
//	o, err := degrade.Observe("inpaint", setting.Values{"missing": 0.5}, clean, seed)
//	if err != nil {
//		return err
//	}
//	problem := oes.Problem{Noisy: o.Y, Observe: o.Graph}
package degrade
