module github.com/seed-6c01d079/notify/backends/sqlite

go 1.26.0

require (
	github.com/ThreeDotsLabs/watermill v1.5.1
	github.com/seed-6c01d079/notify v0.1.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	modernc.org/sqlite v1.62.0
)

replace github.com/seed-6c01d079/notify => ../..
