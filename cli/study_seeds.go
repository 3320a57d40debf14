package cli

import (
	"fmt"
	"strconv"

	"graft/training/study"
)

// seedsFrom are so many seeds, from --seed on.
func (c *call) seedsFrom(n int) []uint64 {
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = c.Common.Seed + uint64(i)
	}
	return seeds
}

// seedOfCell is the cell's seed.
func seedOfCell(c study.Cell) (uint64, error) {
	seed, err := strconv.ParseUint(c.Get("seed"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cell %s: no seed", c)
	}
	return seed, nil
}
