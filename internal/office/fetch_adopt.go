package office

import (
	"context"

	"github.com/postamt/postamt/internal/collect"
)

// Adopt tells the journal what another collector has fetched of an account, see collect.Options.Adopt.
func (c *Collector) Adopt(ctx context.Context, account string, all []collect.Adopted, leave bool) (added int, err error) {
	return c.schedule.Options.Adopt(ctx, account, all, leave)
}
