package signal

import (
	"fmt"

	"graft/onnx/noise"
)

// Sample draws square patches from pictures: each of all places of all pictures is as likely for each patch. What is drawn depends on
// seed, stream and the patch's number.
func Sample(pictures []Picture, side, count int, seed uint64, stream string) (Set, error) {
	s, err := NewSet(count, max(0, side)*max(0, side))
	if err != nil {
		return Set{}, fmt.Errorf("sample patches: %w", err)
	}
	var grids []*Grid
	places := 0
	for _, p := range pictures {
		g, err := NewGrid(p.Height, p.Width, side, 1)
		if err != nil {
			return Set{}, fmt.Errorf("sample patches of %s: %w", p.Name, err)
		}
		if len(p.Pix) != p.Height*p.Width {
			return Set{}, fmt.Errorf("sample patches of %s: %d samples for %dx%d pixels", p.Name, len(p.Pix), p.Width, p.Height)
		}
		grids = append(grids, g)
		places += g.Count()
	}
	if places == 0 {
		return Set{}, fmt.Errorf("sample patches: no pictures")
	}
	for i := range count {
		k := noise.NewKey(seed, "patch of "+stream, uint64(i))
		// Two numbers of 23 bits: one has not the places of a large folder.
		u := (float64(noise.Float(k, 0)) + float64(noise.Float(k, 1))/(1<<23)) / (1 + 1./(1<<23))
		at := min(places-1, int(u*float64(places)))
		for j, g := range grids {
			if at < g.Count() {
				g.Patch(s.Row(i), pictures[j].Pix, at)
				break
			}
			at -= g.Count()
		}
	}
	return s, nil
}

// CentrePairs takes the mean of each noisy signal off it and off the clean one, in place: what is learned then is the rest, as it is when
// a picture is denoised, of which the clean means are not known.
func CentrePairs(clean, noisy Set) error {
	if clean.Count != noisy.Count || clean.Length != noisy.Length {
		return fmt.Errorf("centre pairs: %d clean signals of length %d, %d noisy ones of %d", clean.Count, clean.Length, noisy.Count, noisy.Length)
	}
	for i := range noisy.Count {
		mean := Centre(noisy.Row(i))
		for j := range clean.Row(i) {
			clean.Row(i)[j] -= mean
		}
	}
	return nil
}
