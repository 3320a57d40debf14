package defaultmask

import (
	"math/rand/v2"
	"slices"
	"testing"

	"graft/graphs"
	"graft/masking"
)

// TestEveryMask: each is of its network at every size and number of channels, and removes what the presets remove.
func TestEveryMask(t *testing.T) {
	for _, row := range table {
		for _, out := range []int64{1, 3} {
			n := row.network.Defaults()
			n.Out = out
			n.Height, n.Width = n.Multiple()*3, n.Multiple()*5
			m, err := n.Build(7)
			if err != nil {
				t.Fatal(err)
			}
			set, err := For(n)
			if err != nil {
				t.Fatal(err)
			}
			if err := masking.Fit(m.Graph, set); err != nil {
				t.Error(err)
			}
			want := masking.KeepCount(set.Total(), 0.95)
			if got := set.Kept(); got > want || got < want-2*17 {
				t.Errorf("%d of %d weights are kept, want %d less the channels of a grey photo", got, set.Total(), want)
			}
			for _, name := range []string{"out.conv.weight", "out.conv.bias", "s0.up.bn.weight"} {
				if m := set.Get(name); m.Kept() != int64(len(m.Keep)) {
					t.Errorf("%s is not kept whole", name)
				}
			}
		}
	}
	for _, n := range []graphs.Hourglass{{}, {Channels: []int64{16, 32, 64, 64}, UpKernel: 5}, {Channels: []int64{16, 32, 64}}} {
		if _, err := For(n); err == nil {
			t.Errorf("%+v has a mask", n)
		}
	}
}

// TestPack: what is written is read, in the size that its entropy asks for.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	keep := make([]bool, 100_000)
	for i := range keep {
		keep[i] = r.Float64() < 0.05
	}
	data, err := Pack(keep)
	if err != nil {
		t.Fatal(err)
	}
	if limit := 0.2864 * 100_000 / 8; float64(len(data)) > 1.06*limit {
		t.Errorf("%d bytes, the entropy is %.0f", len(data), limit)
	}
	got, err := Unpack(data, int64(len(keep)))
	if err != nil || !slices.Equal(got, keep) {
		t.Fatal("another mask comes back", err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut off": data[:len(data)/2], "no deflate": {0xff, 0xff}} {
		if _, err := Unpack(bad, int64(len(keep))); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := Unpack(data, int64(len(keep)/2)); err == nil {
		t.Error("a mask of more weights is read")
	}
}
